"""A living city behind real sockets, for demos, tests and benches. All of it is simulated, and says so.

Read in this order: ``settings`` (what may be chosen), ``draws`` (randomness without a state), ``world``
(who moves in the streets), ``sensors`` (who is seen), ``programme`` and ``lamps`` (what light there is),
``cabinets`` (what it costs), ``faults`` (what does not work), ``simulation`` (all of one part in steps);
then ``outbox`` and ``field`` (the gateways' sockets) and ``adapter`` (the process).
"""
