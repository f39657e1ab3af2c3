"""One module per flow: fetch the facts, ask the rules, write once."""
