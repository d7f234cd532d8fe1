"""What a type checker has to catch: names and arguments that do not exist."""

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim

x = pellucid.ones(2)
x.summ()  # error: attr-defined
pellucid.matmull(x, x)  # error: attr-defined
F.relu(x, inplcae=True)  # error: call-arg
nn.Linear(2)  # error: call-arg
nn.Linear("2", 3)  # error: arg-type
x.sum(dimm=0)  # error: call-arg
pellucid.sum(x, keepdimm=True)  # error: call-arg
pellucid.zeros(2, dtyp=pellucid.float64)  # error: call-arg
x.to(dtyp=pellucid.float64)  # error: call-overload
nn.Linear(2, 3).to(dtypo=pellucid.float64)  # error: call-overload
nn.Sequential(nn.Linear(2, 3)).traim()  # error: operator
optim.AdamW([x], learning_rate=0.1)  # error: call-arg
optim.SGD([x], lr="0.1")  # error: arg-type
x.backwards()  # error: attr-defined
x + "1"  # error: operator
pellucid.tensr([1.0])  # error: attr-defined
pellucid.compile(nn.Linear(2, 3))(x).summ()  # error: attr-defined


@pellucid.compile
def step(x: pellucid.Tensor) -> pellucid.Tensor:
    return x.sum()


step(x, x)  # error: call-arg
step(x).itme()  # error: attr-defined
