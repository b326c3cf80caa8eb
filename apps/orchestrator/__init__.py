"""Asks for targets each session and places the orders that reach them."""
