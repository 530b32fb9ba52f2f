"""Van der Waals properties of MMFF94's atom types, as published.

The numbers are those of MMFFVDW.PAR (T. A. Halgren, J. Comput. Chem. 17, 490 (1996), supplementary material; see there
520 for how they came about): polarisability alpha in Å^3, effective number of electrons N of Slater and Kirkwood, scale
factors A and G, and whether the type is a donor (D) or acceptor (A) of hydrogen bonds. RDKit gives out only the values
of pairs; all 95 types were checked against those, in 2408 combinations, to the last digit.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["VAN_DER_WAALS", "VanDerWaalsType"]


class VanDerWaalsType(NamedTuple):
    """One line of MMFFVDW.PAR."""

    alpha: float
    N: float
    A: float
    G: float
    role: str  # "D", "A" or "-"


# numeric atom type: alpha, N, A, G, donor or acceptor
VAN_DER_WAALS = {
    1: VanDerWaalsType(1.05, 2.49, 3.89, 1.282, "-"),  # CR
    2: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # C=C
    3: VanDerWaalsType(1.1, 2.49, 3.89, 1.282, "-"),  # C=O
    4: VanDerWaalsType(1.3, 2.49, 3.89, 1.282, "-"),  # CSP
    5: VanDerWaalsType(0.25, 0.8, 4.2, 1.209, "-"),  # HC
    6: VanDerWaalsType(0.7, 3.15, 3.89, 1.282, "A"),  # OR
    7: VanDerWaalsType(0.65, 3.15, 3.89, 1.282, "A"),  # O=C
    8: VanDerWaalsType(1.15, 2.82, 3.89, 1.282, "A"),  # NR
    9: VanDerWaalsType(0.9, 2.82, 3.89, 1.282, "A"),  # N=C
    10: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # NC=O
    11: VanDerWaalsType(0.35, 3.48, 3.89, 1.282, "A"),  # F
    12: VanDerWaalsType(2.3, 5.1, 3.32, 1.345, "A"),  # CL
    13: VanDerWaalsType(3.4, 6, 3.19, 1.359, "A"),  # BR
    14: VanDerWaalsType(5.5, 6.95, 3.08, 1.404, "A"),  # I
    15: VanDerWaalsType(3, 4.8, 3.32, 1.345, "A"),  # S
    16: VanDerWaalsType(3.9, 4.8, 3.32, 1.345, "A"),  # S=C
    17: VanDerWaalsType(2.7, 4.8, 3.32, 1.345, "-"),  # SO
    18: VanDerWaalsType(2.1, 4.8, 3.32, 1.345, "-"),  # SO2
    19: VanDerWaalsType(4.5, 4.2, 3.32, 1.345, "-"),  # SI
    20: VanDerWaalsType(1.05, 2.49, 3.89, 1.282, "-"),  # CR4R
    21: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HOR
    22: VanDerWaalsType(1.1, 2.49, 3.89, 1.282, "-"),  # CR3R
    23: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HNR
    24: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HOCO
    25: VanDerWaalsType(1.6, 4.5, 3.32, 1.345, "-"),  # PO4
    26: VanDerWaalsType(3.6, 4.5, 3.32, 1.345, "A"),  # P
    27: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HN=C
    28: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HNCO
    29: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HOCC
    30: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # CE4R
    31: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HOH
    32: VanDerWaalsType(0.75, 3.15, 3.89, 1.282, "A"),  # O2CM
    33: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HOS
    34: VanDerWaalsType(1, 2.82, 3.89, 1.282, "-"),  # NR+
    35: VanDerWaalsType(1.5, 3.15, 3.89, 1.282, "A"),  # OM
    36: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HNR+
    37: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # CB
    38: VanDerWaalsType(0.85, 2.82, 3.89, 1.282, "A"),  # NPYD
    39: VanDerWaalsType(1.1, 2.82, 3.89, 1.282, "-"),  # NPYL
    40: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # NC=C
    41: VanDerWaalsType(1.1, 2.49, 3.89, 1.282, "-"),  # CO2M
    42: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # NSP
    43: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # NSO2
    44: VanDerWaalsType(3, 4.8, 3.32, 1.345, "A"),  # STHI
    45: VanDerWaalsType(1.15, 2.82, 3.89, 1.282, "-"),  # NO2
    46: VanDerWaalsType(1.3, 2.82, 3.89, 1.282, "-"),  # N=O
    47: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # NAZT
    48: VanDerWaalsType(1.2, 2.82, 3.89, 1.282, "A"),  # NSO
    49: VanDerWaalsType(1, 3.15, 3.89, 1.282, "-"),  # O+
    50: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HO+
    51: VanDerWaalsType(0.4, 3.15, 3.89, 1.282, "-"),  # O=+
    52: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HO=+
    53: VanDerWaalsType(1, 2.82, 3.89, 1.282, "-"),  # =N=
    54: VanDerWaalsType(1.3, 2.82, 3.89, 1.282, "-"),  # N+=C
    55: VanDerWaalsType(0.8, 2.82, 3.89, 1.282, "-"),  # NCN+
    56: VanDerWaalsType(0.8, 2.82, 3.89, 1.282, "-"),  # NGD+
    57: VanDerWaalsType(1, 2.49, 3.89, 1.282, "-"),  # CNN+
    58: VanDerWaalsType(0.8, 2.82, 3.89, 1.282, "-"),  # NPD+
    59: VanDerWaalsType(0.65, 3.15, 3.89, 1.282, "A"),  # OFUR
    60: VanDerWaalsType(1.8, 2.49, 3.89, 1.282, "A"),  # C%-
    61: VanDerWaalsType(0.8, 2.82, 3.89, 1.282, "A"),  # NR%
    62: VanDerWaalsType(1.3, 2.82, 3.89, 1.282, "A"),  # NM
    63: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # C5A
    64: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # C5B
    65: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # N5A
    66: VanDerWaalsType(0.75, 2.82, 3.89, 1.282, "A"),  # N5B
    67: VanDerWaalsType(0.95, 2.82, 3.89, 1.282, "A"),  # N2OX
    68: VanDerWaalsType(0.9, 2.82, 3.89, 1.282, "A"),  # N3OX
    69: VanDerWaalsType(0.95, 2.82, 3.89, 1.282, "A"),  # NPOX
    70: VanDerWaalsType(0.87, 3.15, 3.89, 1.282, "A"),  # OH2
    71: VanDerWaalsType(0.15, 0.8, 4.2, 1.209, "D"),  # HS
    72: VanDerWaalsType(4, 4.8, 3.32, 1.345, "A"),  # SM
    73: VanDerWaalsType(3, 4.8, 3.32, 1.345, "-"),  # SMO2
    74: VanDerWaalsType(3, 4.8, 3.32, 1.345, "-"),  # =S=O
    75: VanDerWaalsType(4, 4.5, 3.32, 1.345, "A"),  # -P=C
    76: VanDerWaalsType(1.2, 2.82, 3.89, 1.282, "A"),  # N5M
    77: VanDerWaalsType(1.5, 5.1, 3.32, 1.345, "A"),  # CLO4
    78: VanDerWaalsType(1.35, 2.49, 3.89, 1.282, "-"),  # C5
    79: VanDerWaalsType(1, 2.82, 3.89, 1.282, "A"),  # N5
    80: VanDerWaalsType(1, 2.49, 3.89, 1.282, "-"),  # CIM+
    81: VanDerWaalsType(0.8, 2.82, 3.89, 1.282, "-"),  # NIM+
    82: VanDerWaalsType(0.95, 2.82, 3.89, 1.282, "A"),  # N5OX
    87: VanDerWaalsType(0.45, 6, 4, 1.4, "-"),  # FE+2
    88: VanDerWaalsType(0.55, 6, 4, 1.4, "-"),  # FE+3
    89: VanDerWaalsType(1.4, 3.48, 3.89, 1.282, "A"),  # F-
    90: VanDerWaalsType(4.5, 5.1, 3.32, 1.345, "A"),  # CL-
    91: VanDerWaalsType(6, 6, 3.19, 1.359, "A"),  # BR-
    92: VanDerWaalsType(0.15, 2, 4, 1.3, "-"),  # LI+
    93: VanDerWaalsType(0.4, 3.5, 4, 1.3, "-"),  # NA+
    94: VanDerWaalsType(1, 5, 4, 1.3, "-"),  # K+
    95: VanDerWaalsType(0.43, 6, 4, 1.4, "-"),  # ZN+2
    96: VanDerWaalsType(0.9, 5, 4, 1.4, "-"),  # CA+2
    97: VanDerWaalsType(0.35, 6, 4, 1.4, "-"),  # CU+1
    98: VanDerWaalsType(0.4, 6, 4, 1.4, "-"),  # CU+2
    99: VanDerWaalsType(0.35, 3.5, 4, 1.3, "-"),  # MG+2
}
