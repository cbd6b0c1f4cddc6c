"""The words that WGSL keeps for itself, as patterns: keywords, types, functions, and what is reserved for later."""

WORDS = r"""
    alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let
    loop override requires return struct switch true var while array atomic bool f16 f32 i32 u32 mat[234]x[234][fh]?
    vec[234][fhiu]? ptr sampler sampler_comparison texture.* read write read_write function private workgroup uniform
    storage vertex fragment compute group binding builtin location align size id must_use interpolate invariant
    bitcast select all any arrayLength abs acos.* asin.* atan.* ceil clamp cos.* count.* cross degrees determinant
    distance dot.* dpd[xy].* exp2? extractBits faceForward first.* floor fma fract frexp fwidth.* insertBits
    inverseSqrt ldexp length log2? max min mix modf normalize pack.* pow quantizeToF16 radians reflect refract
    reverseBits round saturate sign sin.* smoothstep sqrt step storageBarrier subgroup.* quad.* tan.* transpose trunc
    unpack.* workgroup.* place NULL Self abstract active alignas .*align.* as asm.* async.* attribute auto await
    become cast catch class co_.* coherent column_major common compile.* concept const.* consteval constexpr constinit
    crate debugger decltype delete demote.* do dynamic_cast enum explicit export extends extern external fallthrough
    filter final finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof
    interface layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept
    noinline nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset
    partition pass patch pixelfragment precise precision premerge priv protected pub public readonly ref regardless
    register reinterpret_cast require resource restrict self set shared sizeof smooth snorm static.* std subroutine
    super target template this thread_local throw trait try type typedef typeid typename typeof union unless unorm
    unsafe unsized use using varying virtual volatile wgsl where with writeonly yield
"""
