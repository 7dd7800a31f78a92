# SPDX-License-Identifier: MIT
GUESTS += va-mapping
