"""The protocol's endpoints: form in, flow, response out."""
