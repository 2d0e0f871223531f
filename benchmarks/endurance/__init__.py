"""Many jobs through the queue of a real host: every result right, and nothing left in memory."""
