# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses compared by value, however they are written."""

from __future__ import annotations

import ipaddress


def canonical(text: str) -> str:
    """An address without its prefix length, in its one canonical spelling (RFC 5952).

    What is no address comes back as it is, but for its case.
    """
    try:
        return str(ipaddress.ip_interface(str(text).strip()).ip)
    except ValueError:
        return str(text).lower()
