"""Which further forms each method of a tensor has: one table, read where the class is made.

The column after the name lists what there is beside ``x.name(...)``:

``function``  ``pellucid.name(x, ...)``, the same with the tensor as first argument;
``out``       that function writes its result into a tensor given as ``out=``;
``in_place``  ``x.name_(...)``, which overwrites ``x`` with the result;
``rounded``   a computation of several steps on bfloat16 or float16 is rounded once, at its end.

Methods with an argument ``dim`` also take NumPy's ``axis``; that follows from their signatures.
"""

from __future__ import annotations

_TABLE = """
abs                  function in_place out
absolute             function in_place out
acos                 function in_place out
acosh                function in_place out
add                  function in_place out
addbmm               function in_place rounded out
addcdiv              function in_place rounded out
addcmul              function in_place rounded out
addmm                function in_place rounded out
addmv                function in_place rounded out
addr                 function in_place rounded out
adjoint              function
all                  function out
allclose             function
amax                 function out
amin                 function out
aminmax              function out
angle                function out
any                  function out
arccos               function in_place out
arccosh              function in_place out
arcsin               function in_place out
arcsinh              function in_place out
arctan               function in_place out
arctan2              function in_place out
arctanh              function in_place out
argmax               function out
argmin               function out
argsort              function
argwhere             function
as_strided           function
as_strided_scatter   function
asin                 function in_place out
asinh                function in_place out
atan                 function in_place out
atan2                function in_place out
atanh                function in_place out
baddbmm              function in_place rounded out
bincount             function
bitwise_and          function in_place out
bitwise_left_shift   function in_place out
bitwise_not          function in_place out
bitwise_or           function in_place out
bitwise_right_shift  function in_place out
bitwise_xor          function in_place out
bmm                  function out
broadcast_to         function
bucketize            function out
ceil                 function in_place out
cholesky             function out
cholesky_inverse     function out
cholesky_solve       function out
chunk                function
clamp                function in_place out
clamp_max            function in_place out
clamp_min            function in_place out
clip                 function in_place out
clone                function
conj                 function
conj_physical        function in_place out
copysign             function in_place out
corrcoef             function
cos                  function in_place out
cosh                 function in_place out
count_nonzero        function
cov                  function
cross                function out
cummax               function out
cummin               function out
cumprod              function in_place out
cumsum               function in_place out
deg2rad              function in_place out
det                  function
detach               function
diag                 function out
diag_embed           function
diagflat             function
diagonal             function
diagonal_scatter     function
diff                 function out
digamma              function in_place out
dist                 function rounded
div                  function in_place out
divide               function in_place out
dot                  function out
dsplit               function
eq                   function in_place out
erf                  function in_place out
erfc                 function in_place out
erfinv               function in_place out
exp                  function in_place out
exp2                 function in_place rounded out
expm1                function in_place rounded out
fix                  function in_place out
flatten              function
flip                 function
fliplr               function
flipud               function
float_power          function in_place out
floor                function in_place out
floor_divide         function in_place out
fmax                 function out
fmin                 function out
fmod                 function in_place out
frac                 function in_place out
frexp                function out
gather               function out
gcd                  function in_place out
ge                   function in_place out
geqrf                function out
ger                  function out
greater              function in_place out
greater_equal        function in_place out
gt                   function in_place out
hardshrink           function out
heaviside            function in_place out
histc                function out
histogram            function out
hsplit               function
hypot                function in_place rounded out
i0                   function in_place rounded out
igamma               function in_place out
igammac              function in_place out
index_add            function in_place out
index_copy           function in_place out
index_fill           function in_place
index_put            function in_place
index_reduce         function in_place out
index_select         function out
inner                function out
inverse              function out
is_complex           function
is_conj              function
is_floating_point    function
is_neg               function
is_nonzero           function
is_same_size         function
is_signed            function
isclose              function
isfinite             function
isin                 function out
isinf                function
isnan                function
isneginf             function out
isposinf             function out
isreal               function
istft                function
kron                 function out
kthvalue             function out
lcm                  function in_place out
ldexp                function in_place out
le                   function in_place out
lerp                 function in_place rounded out
less                 function in_place out
less_equal           function in_place out
lgamma               function in_place out
log                  function in_place out
log10                function in_place out
log1p                function in_place out
log2                 function in_place out
log_softmax          function rounded out
logaddexp            function rounded out
logaddexp2           function rounded out
logcumsumexp         function rounded out
logdet               function
logical_and          function in_place out
logical_not          function in_place out
logical_or           function in_place out
logical_xor          function in_place out
logit                function in_place rounded out
logsumexp            function rounded out
lt                   function in_place out
lu                   function out
lu_solve             function out
masked_fill          function in_place
masked_scatter       function in_place
masked_select        function out
matmul               function out
matrix_exp           function
matrix_power         function out
max                  function out
maximum              function out
mean                 function rounded out
median               function rounded out
min                  function out
minimum              function out
mm                   function out
mode                 function out
moveaxis             function
movedim              function
msort                function out
mul                  function in_place out
multiply             function in_place out
mv                   function out
mvlgamma             function in_place out
nan_to_num           function in_place out
nanmean              function rounded out
nanmedian            function out
nanquantile          function out
nansum               function rounded out
narrow               function
narrow_copy          function out
ne                   function in_place out
neg                  function in_place out
negative             function in_place out
nextafter            function in_place out
nonzero              function out
nonzero_static       function out
norm                 function rounded out
not_equal            function in_place out
numel                function
orgqr                function out
ormqr                function out
outer                function out
permute              function
pinverse             function
polygamma            in_place rounded
positive             function
pow                  function in_place out
prelu                function
prod                 function rounded out
put                  function in_place
qr                   function out
quantile             function rounded out
rad2deg              function in_place out
ravel                function
reciprocal           function in_place out
relu                 function in_place
remainder            function in_place out
renorm               function in_place rounded out
repeat_interleave    function
reshape              function
resolve_conj         function
resolve_neg          function
roll                 function
rot90                function
round                function in_place out
rsqrt                function in_place out
rsub                 function
scatter              function in_place out
scatter_add          function in_place out
scatter_reduce       function in_place out
select               function
select_scatter       function
sgn                  function in_place out
sigmoid              function in_place out
sign                 function in_place out
signbit              function out
sin                  function in_place out
sinc                 function in_place rounded out
sinh                 function in_place out
slice_scatter        function out
slogdet              function out
softmax              function rounded out
sort                 function out
split                function
split_with_sizes     function
sqrt                 function in_place out
square               function in_place out
squeeze              function
std                  function rounded out
std_mean             function rounded
stft                 function
sub                  function in_place out
subtract             function in_place out
sum                  function out
svd                  function out
swapaxes             function
swapdims             function
t                    function
take                 function out
take_along_dim       function out
tan                  function in_place out
tanh                 function in_place out
tensor_split         function
tile                 function
topk                 function out
trace                function
transpose            function
triangular_solve     function out
tril                 function in_place out
triu                 function in_place out
true_divide          function in_place out
trunc                function in_place out
unbind               function
unflatten            function
unique               function
unique_consecutive   function
unsqueeze            function
var                  function rounded out
var_mean             function rounded
vdot                 function out
vsplit               function
xlogy                function in_place rounded out
"""

FORMS: dict[str, frozenset[str]] = {
    words[0]: frozenset(words[1:]) for words in map(str.split, _TABLE.strip().splitlines())
}
"""Name of a method → the forms it has beside itself."""


UNGUARDED = frozenset(
    """
    abs absolute acos acosh add asin asinh atan atanh bool_ ceil clone contiguous cos cosh detach
    digamma dim div double element_size eq erf erfc erfinv exp expm1 float floor ge gt half int
    is_floating_point isfinite isinf isnan item le lgamma log log10 log1p log2 logical_not
    logical_and logical_or long lt masked_fill matmul max maximum mean min minimum mul ne neg numel
    nelement ndimension pow reciprocal relu reshape rsqrt sigmoid sign sin sinh sqrt square squeeze
    sub sum tan tanh transpose trunc t unsqueeze view where zero_ add_ mul_ sub_ div_ copy_
    requires_grad_
    """.split()
)
"""Methods that most programs call all the time: they check their arguments themselves."""

CALLING_BACK = frozenset(
    "apply_ map_ map2_ backward register_hook register_post_accumulate_grad_hook numpy".split()
)
"""Methods that run code of the caller's, whose errors are its own."""


def names_with(form: str) -> list[str]:
    """The methods that have this form, in alphabetical order."""
    return [name for name, forms in FORMS.items() if form in forms]


IN_PLACE_FUNCTIONS = (
    "abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ "
    "asinh_ atan_ atanh_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ "
    "deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fix_ floor_ frac_ gcd_ i0_ index_put_ lcm_ "
    "ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ "
    "round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_"
).split()
"""Methods that overwrite their tensor and that PyTorch also has as functions."""
