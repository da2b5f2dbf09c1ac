"""The compiled part: plain functions over records, without Python objects.

A battle is an array of `UNIT` records, one for each unit, in the order in which the map
places them; `KIND` records hold what never changes. Floats are double, positions single
(`vectors` says why).
"""
