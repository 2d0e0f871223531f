"""Many pictures: scaling, overhead, what is lost when processes are killed, and the memory of a large table."""
