"""One file per word of the specs: fetch facts, ask the protocol, write once."""
