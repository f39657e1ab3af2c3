"""What a client library costs the page that loads it: bytes on the wire, and time from navigation to tokens."""
