"""The orchestrator: once a session it reads target weights and places the orders that reach them."""
