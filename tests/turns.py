"""Long demonstrations take turns: each runs every fifth day, all with PELLUCID_TEST_SLOW=1.

Whole trainings, notebooks and programs of lessons that take 5 to 45 seconds on one core.  What they
stand on is tested in full every day; without turns all tests together take half an hour.
"""

from __future__ import annotations

import datetime
import os
import zlib

import pytest

DAYS = 5

LONG = """
course/test_programs.py::test_programs_print_and_draw_what_the_text_shows
cli/test_explain.py::test_words_of_a_text_and_pixels_of_a_picture
cli/test_resume.py::test_a_killed_fine_tuning_goes_on_as_if_it_had_not_been_killed
cli/test_search.py::test_C20_every_setting_of_a_run_comes_back_from_its_file
cli/test_texts.py::test_a_language_model_is_trained_listed_and_writes
data/test_streaming.py::test_a_large_frame_is_learned_from_in_pieces
data/test_streaming.py::test_memory_does_not_grow_with_the_file
data/test_streaming.py::test_time_and_parts_of_a_column_in_pieces
differential/test_differential.py::test_what_must_not_matter
doctor/test_scripts.py::test_a_loop
estimators/test_estimators.py::test_a_transformer_reads_a_list_of_texts
estimators/test_estimators.py::test_scikit_learns_whole_check_passes
estimators/test_estimators.py::test_texts_alone_and_through_scikit_learns_vectors
examples/test_examples.py::test_D19_sums
examples/test_examples.py::test_pictures
examples/test_images.py::test_clusters
examples/test_images.py::test_convolutions
examples/test_images.py::test_dense
examples/test_images.py::test_overfitting
examples/test_images.py::test_shapes
examples/test_notebooks.py::test_a_first_network
examples/test_notebooks.py::test_a_loop_of_ones_own
examples/test_notebooks.py::test_a_table
examples/test_notebooks.py::test_learning_rates
examples/test_rewards.py::test_agents
models/test_image_networks.py::test_a_small_mobile_network_learns_and_auxiliary_ends_answer_while_training
models/test_parity_models.py::test_classifiers
requirements/test_books.py::test_B16_shuffled_pixels_on_mnist
requirements/test_books.py::test_D48_B19_optimizers_compared_on_mnist
text/test_language_models.py::test_D14_perplexity_comes_near_to_that_of_the_source
text/test_sequences.py::test_D21_attention_looks_where_the_answer_stands
training/test_checkpoints.py::test_loaders_go_on_where_they_were
training/test_lookups.py::test_a_transformer_learns_what_a_bag_cannot
training/test_pictures_beside.py::test_both_together_tell_more_than_each_alone
training/test_trust.py::test_intervals_of_figures_hold_the_true_figure
""".split()
"""Their test functions, by place below ``tests``."""


def wait(item: pytest.Item) -> bool:
    """Whether it is not this test's day."""
    if os.environ.get("PELLUCID_TEST_SLOW"):
        return False
    place = item.nodeid.removeprefix("tests/")
    if place.split("[")[0] not in LONG:
        return False
    return zlib.crc32(place.encode()) % DAYS != datetime.date.today().toordinal() % DAYS
