"""Which further forms each method of a tensor has: one table, read where the class is made.

The column after the name lists what there is beside ``x.name(...)``:

``function``  ``pellucid.name(x, ...)``, the same with the tensor as first argument;
``in_place``  ``x.name_(...)``, which overwrites ``x`` with the result;
``axis``      the keywords ``axis`` and ``keepdims``, NumPy's names of ``dim`` and ``keepdim``;
``rounded``   a computation of several steps on bfloat16 or float16 is rounded once, at its end.
"""

from __future__ import annotations

_TABLE = """
abs                  function in_place
absolute             function in_place
acos                 function in_place
acosh                function in_place
add                  function in_place
addbmm               function in_place rounded
addcdiv              function in_place rounded
addcmul              function in_place rounded
addmm                function in_place rounded
addmv                function in_place rounded
addr                 function in_place
adjoint              function
all                  function axis
allclose             function
amax                 function axis
amin                 function axis
aminmax              function
angle                function
any                  function axis
arccos               function in_place
arccosh              function in_place
arcsin               function in_place
arcsinh              function in_place
arctan               function in_place
arctan2              function in_place
arctanh              function in_place
argmax               function axis
argmin               function axis
argsort              function axis
argwhere             function
asin                 function in_place
asinh                function in_place
atan                 function in_place
atan2                function in_place
atanh                function in_place
baddbmm              function in_place rounded
bincount             function
bitwise_and          function in_place
bitwise_left_shift   function in_place
bitwise_not          function in_place
bitwise_or           function in_place
bitwise_right_shift  function in_place
bitwise_xor          function in_place
bmm                  function
broadcast_to         function
bucketize            function
ceil                 function in_place
cholesky             function
cholesky_inverse     function
cholesky_solve       function
chunk                function
clamp                function in_place
clamp_max            function in_place
clamp_min            function in_place
clip                 function in_place
clone                function
conj                 function
conj_physical        function in_place
copysign             function in_place
corrcoef             function
cos                  function in_place
cosh                 function in_place
count_nonzero        function axis
cov                  function
cross                function
cummax               function
cummin               function
cumprod              function in_place axis
cumsum               function in_place axis
deg2rad              function in_place
det                  function
detach               function
diag                 function
diag_embed           function
diagflat             function
diagonal             function
diagonal_scatter     function
diff                 function
digamma              function in_place
dist                 function rounded
div                  function in_place
divide               function in_place
dot                  function
dsplit               function
eq                   function in_place
erf                  function in_place
erfc                 function in_place
erfinv               function in_place
exp                  function in_place
exp2                 function in_place rounded
expm1                function in_place rounded
fix                  function in_place
flatten              function
flip                 function
fliplr               function
flipud               function
float_power          function in_place
floor                function in_place
floor_divide         function in_place
fmax                 function
fmin                 function
fmod                 function in_place
frac                 function in_place
frexp                function
gather               function
gcd                  function in_place
ge                   function in_place
ger                  function
greater              function in_place
greater_equal        function in_place
gt                   function in_place
hardshrink           function
heaviside            function in_place
histc                function
histogram            function
hsplit               function
hypot                function in_place rounded
i0                   function in_place
igamma               function in_place
igammac              function in_place
index_add            function in_place
index_copy           function in_place
index_fill           function in_place
index_put            function in_place
index_reduce         function in_place
index_select         function
inner                function
inverse              function
is_complex           function
is_conj              function
is_floating_point    function
is_neg               function
is_nonzero           function
is_same_size         function
is_signed            function
isclose              function
isfinite             function
isin                 function
isinf                function
isnan                function
isneginf             function
isposinf             function
isreal               function
kron                 function
kthvalue             function
lcm                  function in_place
ldexp                function in_place
le                   function in_place
lerp                 function in_place rounded
less                 function in_place
less_equal           function in_place
lgamma               function in_place
log                  function in_place
log10                function in_place
log1p                function in_place
log2                 function in_place
log_softmax          function axis rounded
logaddexp            function rounded
logaddexp2           function rounded
logcumsumexp         function rounded
logdet               function
logical_and          function in_place
logical_not          function in_place
logical_or           function in_place
logical_xor          function in_place
logit                function in_place rounded
logsumexp            function axis rounded
lt                   function in_place
masked_fill          function in_place
masked_scatter       function in_place
masked_select        function
matmul               function
matrix_exp           function
matrix_power         function
max                  function axis
maximum              function
mean                 function axis rounded
median               function axis rounded
min                  function axis
minimum              function
mm                   function
mode                 function
moveaxis             function
movedim              function
msort                function
mul                  function in_place
multiply             function in_place
mv                   function
mvlgamma             function in_place
nan_to_num           function in_place
nanmean              function axis rounded
nanmedian            function
nanquantile          function
nansum               function axis rounded
narrow               function
ne                   function in_place
neg                  function in_place
negative             function in_place
nextafter            function in_place
nonzero              function
nonzero_static       function
norm                 function axis rounded
not_equal            function in_place
numel                function
outer                function
permute              function
pinverse             function
polygamma            in_place
positive             function
pow                  function in_place
prelu                function
prod                 function axis rounded
put                  function in_place
quantile             function rounded
rad2deg              function in_place
ravel                function
reciprocal           function in_place
relu                 function in_place
remainder            function in_place
renorm               function in_place rounded
repeat_interleave    function
reshape              function
resolve_conj         function
resolve_neg          function
roll                 function
rot90                function
round                function in_place
rsqrt                function in_place
rsub                 function
scatter              function in_place
scatter_add          function in_place
scatter_reduce       function in_place
select               function
select_scatter       function
sgn                  function in_place
sigmoid              function in_place
sign                 function in_place
signbit              function
sin                  function in_place
sinc                 function in_place rounded
sinh                 function in_place
slice_scatter        function
slogdet              function
softmax              function axis rounded
sort                 function axis
split                function
split_with_sizes     function
sqrt                 function in_place
square               function in_place
squeeze              function axis
std                  function axis rounded
std_mean             function rounded
sub                  function in_place
subtract             function in_place
sum                  function axis
swapaxes             function
swapdims             function
t                    function
take                 function
take_along_dim       function
tan                  function in_place
tanh                 function in_place
tensor_split         function
tile                 function
topk                 function
trace                function
transpose            function
triangular_solve     function
tril                 function in_place
triu                 function in_place
true_divide          function in_place
trunc                function in_place
unbind               function
unflatten            function
unique               function
unique_consecutive   function
unsqueeze            function axis
var                  function axis rounded
var_mean             function rounded
vdot                 function
vsplit               function
xlogy                function in_place rounded
"""

FORMS: dict[str, frozenset[str]] = {
    words[0]: frozenset(words[1:]) for words in map(str.split, _TABLE.strip().splitlines())
}
"""Name of a method → the forms it has beside itself."""


def names_with(form: str) -> list[str]:
    """The methods that have this form, in alphabetical order."""
    return [name for name, forms in FORMS.items() if form in forms]
