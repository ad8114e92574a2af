"""Files of other programs' formats, mended after Blender's exporters wrote them.

numpy and the standard library only: what an exporter of one Blender leaves out is put in from
outside, so that every Blender from 4.2 on writes the same.
"""
