from bad_input.cases import Case

CASES: list[Case] = []
