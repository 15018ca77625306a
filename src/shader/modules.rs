//! The files of `shaders/`.

macro_rules! modules {
    ($($name:ident),* $(,)?) => {
        /// A file of `shaders/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(non_camel_case_types)]
        pub(super) enum Module { $($name),* }

        impl Module {
            pub(super) fn source(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../shaders/", stringify!($name), ".wgsl"))),*
                }
            }
        }
    };
}

modules!(
    accumulate,
    apply,
    apply_shared,
    bias_loose,
    bias_loose_pairs,
    bias_loose_shared,
    bias_none,
    bias_scalar,
    bias_shared,
    bias_unit,
    column,
    copy,
    entry,
    entry_subgroup,
    finish,
    first_loaded,
    given,
    halves,
    lane,
    load,
    loose_f32,
    loose_pairs,
    moments,
    moments_skip,
    moments_write,
    normalize,
    normalizer,
    normalizer_columns,
    normalizer_row,
    output_none,
    output_x,
    output_y,
    params,
    partial,
    power_absolute,
    power_any,
    power_maximum,
    power_square,
    prelude,
    raise,
    record,
    record_norm,
    recorded_columns,
    recorded_row,
    records_skip,
    records_write,
    reduce_subgroup,
    reduce_tree,
    reduce_whole_subgroup,
    reduce_workgroup,
    resident,
    resident_rows,
    resident_tail,
    resident_tail_none,
    running,
    settle_columns,
    settle_row,
    shared_load,
    short_rows,
    single,
    storage_columns_pairs,
    storage_f32,
    storage_f32_pairs,
    storage_loose,
    store,
    tail,
    tail_none,
    traversal,
    task,
    tree,
    unit_columns,
    unit_elementwise,
    unit_f32,
    unit_mat4,
    unit_of_row,
    unit_vec4,
    weight_loose,
    weight_loose_pairs,
    weight_loose_shared,
    weight_none,
    weight_scalar,
    weight_shared,
    weight_unit,
    window,
);
