//! Faults of the image that keep the GPU from working whatever the machine is.

family! {
    no_glibc
    stub_libcuda
    driver_mismatch
    driver_baked_in
    driver_file_empty
    damaged
    stubs_on_path
    compat_on_path
    cuda_without_glibc
    glibc_too_old
    static_tls
    no_ld_cache
    compat_mismatch
    compat_unsupported
}
