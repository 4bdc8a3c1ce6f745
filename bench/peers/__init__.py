"""The contenders, one a file. Each has ``Peer`` (the consumer) and ``send`` (the sender's side), as in bench.peers.zeromq."""
