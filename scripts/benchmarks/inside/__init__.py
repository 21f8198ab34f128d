"""What runs inside the measured processes: adapters, servers, loops. Imports as little as it can before the peer."""
