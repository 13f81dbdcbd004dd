"""Growth of a person's own ``nn.Module``, which no family describes.

``tracing`` follows every channel through the exported graph, with the rules of ``layers`` and
``shapes``; ``channels`` finds those that can only grow together; ``resizing`` makes the larger
module; ``deepening`` inserts layers of ``operators`` where ``activations`` allow it; ``family``
puts all of it behind the contract of a family.
"""
