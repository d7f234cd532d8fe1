"""Optimizers and learning-rate schedules, in PyTorch's language.

>>> optimizer = optim.AdamW(model.parameters(), lr=1e-3)
>>> optimizer.zero_grad(); loss.backward(); optimizer.step()

Which one?

==========  ===================================================  ========  ==================
optimizer   when                                                 lr        memory a parameter
==========  ===================================================  ========  ==================
AdamW       the default choice                                   1e-3      2 copies
Adam        the same without weight decay                        1e-3      2 copies
SGD         with momentum 0.9 and a schedule: often the best     1e-2 and  none; 1 copy with
            generalization, if there is time to tune; start at   up, 1e-3  momentum
            0.01                                                 if unset
NAdam       like Adam, often a little faster                     2e-3      2 copies
RAdam       when Adam needs a warm-up                            1e-3      2 copies
Adamax      gradients that are mostly zero                       2e-3      2 copies
SparseAdam  tables of vectors of which a batch uses few rows     1e-3      2 copies
Lion        large batches, little memory                         1e-4      1 copy
Muon        matrices of hidden layers (the rest with AdamW)      1e-3      1 copy
RMSprop     recurrent networks, reinforcement learning           1e-2      1 to 3 copies
Adagrad     sparse features                                      1e-2      1 copy
Adadelta    nothing may be tuned                                 1         2 copies
Adafactor   large models, little memory                          1e-2      a row and a column
ASGD        SGD with the average of all steps beside it          1e-2      1 copy
Rprop       the whole batch at once; signs of gradients alone    1e-2      2 copies
LBFGS       small, smooth problems with the whole batch at once  1         2 · history copies
==========  ===================================================  ========  ==================

``weight_decay`` is the L2 penalty ½λ‖θ‖² (in AdamW, Lion and Muon a direct shrinking), ``l1`` the
penalty κ‖θ‖₁; both hold the growth of parameters back.
"""

from pellucid.optim import lr_scheduler, swa_utils
from pellucid.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from pellucid.optim.adaptive import Adadelta, Adagrad, RMSprop
from pellucid.optim.classic import ASGD, Adafactor, Rprop
from pellucid.optim.lbfgs import LBFGS
from pellucid.optim.lion import Lion
from pellucid.optim.muon import Muon
from pellucid.optim.optimizer import Optimizer, ParameterGroup
from pellucid.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "ParameterGroup",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]


def __dir__() -> list[str]:
    return sorted(__all__)
