"""What is stored, and what fires."""
