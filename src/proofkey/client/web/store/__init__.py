"""Where sessions are kept: a contract, and one file for each store that fulfils it."""
