"""What is known about statements and their statistics."""
