"""What is installed: Python packages, and programs built with Go."""
