"""Families of operators: those that multiply and add nothing, and those treated apart for another reason."""

from __future__ import annotations

# multiply and add nothing, but how much else they do depends on values or on the kernel
NO_MACS = frozenset(
    f"aten::{word}"
    for word in """
    sort argsort topk kthvalue median nanmedian mode bincount histc
    searchsorted bucketize isin multinomial grid_sampler grid_sampler_2d grid_sampler_3d
    _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa index_add scatter_add
    scatter_reduce index_reduce segment_reduce max_unpool2d max_unpool3d fractional_max_pool2d
    nll_loss_nd nll_loss nll_loss2d nll_loss_forward nll_loss2d_forward mse_loss l1_loss smooth_l1_loss
    huber_loss binary_cross_entropy binary_cross_entropy_with_logits native_dropout_backward
    """.split()
) | {"torchvision::nms", "torchvision::roi_align", "torchvision::roi_pool", "torchvision::ps_roi_align"}
# gradients of what has no MACs; those of convolutions and products are products themselves
NO_MACS_BACKWARD = frozenset(
    f"aten::{word}_backward"
    for word in """
    _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d
    avg_pool2d avg_pool3d elu gelu hardtanh leaky_relu sigmoid silu softplus tanh
    threshold cumprod diagonal embedding
    embedding_dense gather glu grid_sampler_2d grid_sampler_3d hardsigmoid hardswish index_select
    max_pool2d_with_indices max_pool3d_with_indices mish native_batch_norm native_dropout native_group_norm
    native_layer_norm nll_loss nll_loss2d reflection_pad1d reflection_pad2d reflection_pad3d
    replication_pad1d replication_pad2d replication_pad3d select slice trace unfold upsample_bicubic2d
    upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
    upsample_trilinear3d value_selecting_reduction _fused_rms_norm _upsample_bilinear2d_aa
    _upsample_bicubic2d_aa cudnn_batch_norm log_sigmoid masked_scatter _prelu_kernel rrelu_with_noise
    _weight_norm_interface _weight_norm_differentiable
    """.split()
) | {
    "aten::_softmax_backward_data",
    "aten::_log_softmax_backward_data",
    "torchvision::_roi_align_backward",
    "torchvision::_roi_pool_backward",
    "torchvision::_ps_roi_align_backward",
}
# of these only the first output is an activation: the others are indices, statistics or scratch
MAIN_OUTPUT_ONLY = frozenset(
    f"aten::{word}"
    for word in """
    max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
    native_layer_norm native_group_norm _fused_rms_norm native_dropout embedding_bag
    _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu
    _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention log_sigmoid_forward
    """.split()
)
# these take a tensor for its type or shape only
MAKERS = frozenset(
    f"aten::{word}"
    for word in """
    new_empty new_empty_strided new_full new_ones new_zeros empty_like full_like ones_like rand_like
    randint_like randn_like zeros_like
    """.split()
)
# these read no more of a table than they give on
CHOOSING = frozenset(f"aten::{word}" for word in "embedding gather index index_select".split())
# elementwise, though torch does not say so: the result can take the place of the input
OVERWRITING = frozenset(
    f"aten::{word}"
    for word in "batch_norm _native_batch_norm_legit_no_training hardswish relu6 prelu".split()
)
