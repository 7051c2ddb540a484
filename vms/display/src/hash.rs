//! The hash by which frames are compared, between platforms and with what tests expect.

/// BLAKE3 of width and height (`u32`, little endian) and of each pixel as red, green, blue.
pub fn frame_hash(width: u32, height: u32, pixels: &[u32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&width.to_le_bytes());
    hasher.update(&height.to_le_bytes());
    let mut bytes = [0; 3 * 256];
    for chunk in pixels.chunks(256) {
        for (rgb, pixel) in bytes.chunks_exact_mut(3).zip(chunk) {
            rgb.copy_from_slice(&pixel.to_be_bytes()[1..]);
        }
        hasher.update(&bytes[..3 * chunk.len()]);
    }
    *hasher.finalize().as_bytes()
}
