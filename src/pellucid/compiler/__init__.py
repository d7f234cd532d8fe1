"""Floor 4: graph to program, as a list of named passes.

What programs tell the compiler under ``torch.compiler`` (:func:`is_compiling`, :func:`disable`)
is found here too, and stands in :mod:`pellucid.tensor.compiler_controls`.
"""

from pellucid.base.faces import lazy_face

CONTROLS = """
allow_in_graph assume_constant_result compile cudagraph_mark_step_begin disable is_compiling
is_dynamo_compiling is_exporting list_backends reset set_stance
""".split()
"""The names that programs find here."""
__getattr__, __dir__ = lazy_face(
    __name__, dict.fromkeys(CONTROLS, "pellucid.tensor.compiler_controls")
)
