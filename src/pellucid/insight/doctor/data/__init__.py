"""The data doctor: what is wrong with data, before anything is learned from them."""

from pellucid.insight.doctor.data.examination import examine_data, examine_material
from pellucid.insight.doctor.data.label_errors import (
    LabelErrors,
    confident_joint,
    estimated_errors,
    find_label_errors,
    label_errors,
)
from pellucid.insight.doctor.data.material import Material, material_of

__all__ = [
    "LabelErrors",
    "Material",
    "confident_joint",
    "estimated_errors",
    "examine_data",
    "examine_material",
    "find_label_errors",
    "label_errors",
    "material_of",
]
