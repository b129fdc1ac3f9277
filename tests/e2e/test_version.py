# SPDX-License-Identifier: LGPL-2.1-or-later
import re

import pytest


@pytest.mark.vm
def test_version_names_program_and_number(nook):
    assert re.fullmatch(r"nook \d+\.\d+\.\d+\n", nook("--version"))
