"""The execution gateway: takes orders, checks their risk, sends them to the venue, and keeps the book."""
