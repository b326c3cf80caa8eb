"""Takes orders, checks their risk, has them filled, and keeps the book."""
