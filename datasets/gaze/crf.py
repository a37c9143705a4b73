"""Dense (fully-connected) CRF that refines a heatmap, so that it follows the edges of the image."""

import numpy as np

from datasets.gaze.dense_crf.packing import lattice_packing

PROBABILITY_FLOOR = 1e-5


def refine_with_crf(
    image: np.ndarray,
    heatmap: np.ndarray,
    *,
    compat: float = 1,
    iterations: int = 10,
    sxy: float = 80,
    srgb: float = 13,
    engine: str = "compiled",
) -> np.ndarray:
    """Foreground probability after mean-field inference in a two-class dense CRF.

    The unary term is -log of [1-h, h]; the one pairwise term is bilateral with a Potts compatibility. Takes about
    80 bytes a pixel for a photograph, of any size, and 170 for pure noise.

    Args:
        image: (H,W,3) uint8.
        heatmap: (H,W) in 0..1.
        compat: weight of the Potts term.
        iterations: of mean field.
        sxy: standard deviation in pixels of position.
        srgb: standard deviation in grey values of each colour.
        engine: one of CRF_ENGINES; both give the same answer.

    Returns:
        (H,W) float32 in 0..1; of an empty image, an empty one.

    Raises:
        ValueError: if image and heatmap do not fit, sxy or srgb is not above 0 or far too small, iterations are below
            0, or there is no such engine.

    Source: Kraehenbuehl and Koltun, NIPS 2011, in the arithmetic of the package pydensecrf2.
    """
    height, width = heatmap.shape
    if image.shape != (height, width, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"crf: expected an RGB image of the heatmap's size, ({height}, {width}, 3) uint8, "
            f"found {image.shape} {image.dtype}; crf_image makes one of others"
        )
    if engine not in CRF_ENGINES:
        raise ValueError(f"crf: expected an engine out of {', '.join(CRF_ENGINES)}, found {engine!r}")
    if iterations < 0:
        raise ValueError(f"crf: expected 0 iterations or more, found {iterations}")
    lattice_packing((height, width), sxy, srgb)
    if not height * width:
        return np.zeros((height, width), np.float32)
    if not 0 <= heatmap.min() <= heatmap.max() <= 1:
        raise ValueError(
            f"crf: expected a heatmap in 0..1, found {heatmap.min():g} to {heatmap.max():g}; read files by "
            "datasets.io.read_map, or divide 8 bits by 255"
        )
    foreground = heatmap.astype(np.float32).ravel()
    unary = -np.log(np.stack([1 - foreground, foreground]).clip(PROBABILITY_FLOOR, 1))
    marginal = CRF_ENGINES[engine](image, unary, compat=compat, iterations=iterations, sxy=sxy, srgb=srgb)
    return marginal.reshape(height, width)


def _infer_compiled(
    image: np.ndarray, unary: np.ndarray, *, compat: float, iterations: int, sxy: float, srgb: float
) -> np.ndarray:
    # Importing numba takes a third of a second, which other commands need not spend.
    from datasets.gaze.dense_crf.lattice import build_lattice
    from datasets.gaze.dense_crf.mean_field import foreground_marginal

    return foreground_marginal(build_lattice(image, sxy, srgb), unary, compat=compat, iterations=iterations)


def _infer_pydensecrf(
    image: np.ndarray, unary: np.ndarray, *, compat: float, iterations: int, sxy: float, srgb: float
) -> np.ndarray:
    try:
        # A compiled extension, needed by nothing else.
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError as error:
        raise ValueError(
            "--crf_engine pydensecrf: expected the package pydensecrf2, found none; scripts/setup.sh installs it where "
            "there is a C++ compiler, or leave the option out: the maps are the same to the last bit"
        ) from error

    height, width, _ = image.shape
    crf = DenseCRF2D(width, height, 2)
    crf.setUnaryEnergy(unary)
    crf.addPairwiseBilateral(sxy=(sxy, sxy), srgb=(srgb, srgb, srgb), rgbim=np.ascontiguousarray(image), compat=compat)
    return np.array(crf.inference(iterations), dtype=np.float32)[1]


# Equal to the last bit; "compiled" is about four times as fast and needs no C++ compiler.
CRF_ENGINES = {"compiled": _infer_compiled, "pydensecrf": _infer_pydensecrf}


def crf_image(image: np.ndarray) -> np.ndarray:
    """RGB input of the CRF: 8-bit colour unchanged; other images, (H,W) or (H,W,C), scaled to 0..255, grey repeated.

    A constant image becomes black, and so do masked pixels, as DICOM's padding, which have the darkest value.
    ValueError for other than 1 or 3 channels.
    """
    image = np.atleast_3d(np.asarray(image))
    if image.shape[2:] not in ((1,), (3,)):
        raise ValueError(f"crf: expected an image (H,W), (H,W,1) or (H,W,3), found {image.shape}")
    if image.shape[-1] == 3 and image.dtype == np.uint8:
        return image
    values = image.astype(np.float64)
    scaled = (values - values.min()) / (np.ptp(values) or 1) * 255
    return np.repeat(scaled.astype(np.uint8), 3 // image.shape[-1], axis=-1)
