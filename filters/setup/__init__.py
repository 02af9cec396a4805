"""What `sipsense setup` does: it asks a server what is there, says what is to be done, and does it."""
