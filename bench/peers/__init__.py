"""The contenders, one a file: ``Peer`` (the consumer) and ``send`` (the sender), as in bench.peers.zeromq."""
