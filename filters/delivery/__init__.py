"""What all sinks share that deliver over HTTP: who is asked and how, batches, retries, the dead letter, counts."""
