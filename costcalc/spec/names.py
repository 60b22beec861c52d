"""Which names a layer may have: they become paths of torch submodules."""

from __future__ import annotations

import keyword
import re

from costcalc.errors import CostcalcError, Place, Problem, shortened

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

# attributes of torch.fx.GraphModule; a test holds this set against the installed torch
TORCH_ATTRIBUTES = frozenset(
    """
    T_destination add_module add_submodule apply bfloat16 buffers call_super_init children code compile cpu
    cuda delete_all_unused_submodules delete_submodule double dump_patches eval extra_repr float forward
    get_buffer get_extra_state get_parameter get_submodule graph half ipu load_state_dict meta modules mtia
    named_buffers named_children named_modules named_parameters parameters print_readable recompile
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory shape_env
    state_dict to to_empty to_folder train training type xpu zero_grad
    """.split()
)
RESERVED = TORCH_ATTRIBUTES | frozenset(keyword.kwlist) | {"input", "output", "self", "total"}


def check_name(name: str, place: Place, path: str) -> None:
    """Raise :class:`CostcalcError` for a name that cannot be a submodule's."""
    if not NAME.fullmatch(name):
        message = (
            f"the name {shortened(name)} should begin with a letter or digit and go on with those, '_' or '-'"
        )
    elif name in RESERVED:
        message = f"the name '{name}' is taken by PyTorch or Python; call it for example '{name}_'"
    else:
        return
    raise CostcalcError([Problem(message, path, place)])
