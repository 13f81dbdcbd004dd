"""What the commands that build a model share: recipe, plan, label spaces, evaluation, results.

Nothing here imports a framework at module level; what trains lies in :mod:`zoo.training`.
"""
