"""Many pictures: scaling, overhead, and the memory of a large table."""
