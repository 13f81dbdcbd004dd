"""Which contexts went with good transfers: domains as ontologies, and tests on recorded transfers.

Chen et al., "Knowledge-based transfer learning explanation", KR 2018; Chen et al., arXiv
1901.08547. What was released with them selects on test data, corrects for no number of tests, and
gives every airport the facts of one; here each of these is repaired.
"""
