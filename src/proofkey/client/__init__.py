"""Client libraries: requests to write and answers to read, pure, in thin shells that talk HTTP."""
