"""What is known about the embedded server as something to operate."""
