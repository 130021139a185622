#pragma once

namespace dl::test {

/// Enqueues a kernel that writes where nothing is: the process loses the device.
void access_illegally();

}  // namespace dl::test
