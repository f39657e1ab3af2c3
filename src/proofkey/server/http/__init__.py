"""The protocol endpoints: form in, flow, response out."""
