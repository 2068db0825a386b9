"""Rows 70 to 79: the life of the process, its disk, its clock, and what it logs: shown where a process can be harmed."""

from tests.faults.scene import Elsewhere

MACHINE, LIFE = "tests/integration/nth/test_machine.py", "tests/acceptance/test_life.py"
GATEWAY, HERD = "tests/integration/gateway/test_gateway.py", "tests/integration/server/test_herd.py"
PROOFS: tuple[Elsewhere, ...] = (
    Elsewhere(70, "tests/acceptance/test_kills.py::test_every_answered_request_is_in_the_ledger_exactly_once"),
    Elsewhere(70, "tests/integration/ledger/test_kill.py::test_what_was_acknowledged_is_there"),
    Elsewhere(71, "tests/integration/nth/test_disk.py::test_the_nth_call_to_the_disk_fails"),
    Elsewhere(71, f"{MACHINE}::test_a_disk_that_takes_nothing_refuses_everything_and_is_read_on"),
    Elsewhere(71, f"{MACHINE}::test_a_disk_that_fails_in_the_middle_of_a_stream_lets_it_not_look_finished"),
    Elsewhere(72, f"{MACHINE}::test_a_ledger_that_another_program_holds_is_waited_for_then_overloaded_and_read_on"),
    Elsewhere(73, f"{LIFE}::test_a_gateway_that_is_stopped_ends_what_is_open_and_says_so"),
    Elsewhere(74, f"{LIFE}::test_with_few_descriptors_who_is_too_much_is_told_so_and_health_is_told_too"),
    Elsewhere(74, f"{MACHINE}::test_descriptors_that_run_out_come_back"),
    Elsewhere(75, "tests/acceptance/test_audit.py::test_every_kind_of_tampering_is_found"),
    Elsewhere(76, f"{MACHINE}::test_a_clock_that_jumps_ends_no_key_wakes_nobody_and_mixes_nothing_up"),
    Elsewhere(76, f"{MACHINE}::test_no_step_of_a_clock_opens_a_budget_and_the_next_hour_does"),
    Elsewhere(77, "tests/integration/gateway/test_releases.py::test_a_release_outlives_a_restart_and_a_damaged_one_starts_nothing"),
    Elsewhere(78, f"{HERD}::test_an_endpoint_that_comes_back_is_tried_by_one_and_then_by_all"),
    Elsewhere(78, f"{HERD}::test_a_herd_opens_no_more_connections_than_an_endpoint_bears"),
    Elsewhere(79, f"{LIFE}::test_what_callers_and_endpoints_choose_steers_no_terminal"),
)  # fmt: skip
