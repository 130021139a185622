"""Synthetic photographs: no two pixels of a surface are equal, as in a real one, and their class can be learned."""

import numpy

CLASSES = 10
SENSOR_NOISE = 6  # standard deviation, in grey levels of 0..255


def photographs(seed, images, height, width, channels):
    """uint8 (images, height, width, channels) and class indices (images). The class is the number of stripes on a blob, less one."""
    generator = numpy.random.default_rng(seed)
    labels = generator.integers(CLASSES, size=images)
    y, x = numpy.mgrid[0:height, 0:width]
    pixels = numpy.empty((images, height, width, channels), numpy.uint8)
    for image, label in enumerate(labels):
        u, v = x / width, y / height
        # Light falls from one side: the background goes from one colour to another.
        angle = generator.uniform(0, 2 * numpy.pi)
        light = 0.5 + 0.35 * (numpy.cos(angle) * (u - 0.5) + numpy.sin(angle) * (v - 0.5))[..., None]
        background = light * generator.uniform(60, 200, channels) + (1 - light) * generator.uniform(60, 200, channels)
        centre, radius = generator.uniform(0.35, 0.65, 2), generator.uniform(0.3, 0.45)
        distance = numpy.hypot(u - centre[0], v - centre[1]) / radius
        blob = 1 / (1 + numpy.exp(12 * (distance - 1)))[..., None]
        stripes = 0.5 + 0.5 * numpy.sin(2 * numpy.pi * (label + 1) * (u - centre[0]) + generator.uniform(0, 2 * numpy.pi))
        scene = (1 - blob) * background + blob * stripes[..., None] * generator.uniform(120, 250, channels)
        noise = generator.normal(0, SENSOR_NOISE, scene.shape)
        pixels[image] = numpy.clip(numpy.rint(scene + noise), 0, 255)
    return pixels, labels
