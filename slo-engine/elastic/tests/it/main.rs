//! Counts of real Elasticsearch and OpenSearch nodes, and of servers that answer badly.
//!
//! Every test of the lists below runs against both kinds of node, one kind after the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broken;
mod counting;
mod faults;
mod groups;
mod kql;
mod limits;
mod pressure;
mod support;

/// Declares the tests of one kind of node.
macro_rules! suite {
    ($kind:ident, $lease:ident: $($module:ident::$name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                crate::$module::$name(&crate::support::node::$lease($kind)).await;
            }
        )*
    };
}

/// Declares all tests for both kinds; their names sort by kind, and so they run.
macro_rules! for_both {
    (together { $($together:tt)* } alone { $($alone:tt)* }) => {
        mod elasticsearch {
            const KIND: crate::support::node::Kind = crate::support::node::Kind::Elasticsearch;
            suite! { KIND, shared: $($together)* }
            suite! { KIND, alone: $($alone)* }
        }
        mod opensearch {
            const KIND: crate::support::node::Kind = crate::support::node::Kind::Opensearch;
            suite! { KIND, shared: $($together)* }
            suite! { KIND, alone: $($alone)* }
        }
    };
}

for_both! {
    together {
        counting::counts_equal_the_truth_of_generated_documents,
        counting::a_late_document_is_in_its_minute_when_it_is_read_again,
        counting::other_time_fields_and_nanoseconds_are_counted_by_minute,
        counting::a_time_that_is_a_number_is_milliseconds,
        counting::shards_of_other_times_are_skipped_and_that_is_normal,
        counting::a_heartbeat_tells_an_idle_service_from_a_dead_shipper,
        counting::a_document_from_a_clock_ahead_is_no_heartbeat,
        counting::the_oldest_heartbeat_says_how_far_back_there_is_anything,
        groups::known_groups_stay_new_ones_come_up_to_the_limit_and_the_rest_is_the_difference,
        groups::two_fields_of_other_types_make_a_group,
        groups::a_field_that_cannot_be_grouped_by_fails_its_query_alone,
        kql::a_node_finds_the_documents_that_the_filter_itself_finds,
        limits::two_hundred_slos_on_three_patterns_are_one_request_of_three_searches,
        limits::thirty_days_are_cut_into_requests_of_ten_thousand_buckets,
        limits::more_than_a_megabyte_of_filters_is_split,
        limits::a_body_above_the_servers_limit_is_413_with_the_remedy,
        faults::an_index_that_does_not_exist_is_no_zero,
        faults::a_closed_index_is_no_zero,
        faults::a_lost_shard_is_no_zero,
        faults::a_query_that_cannot_be_parsed_fails_alone,
        faults::a_mapping_conflict_fails_only_the_queries_that_meet_it,
        faults::a_time_field_that_is_no_date_is_named,
        faults::a_search_that_ran_out_of_time_is_no_zero,
    }
    alone {
        pressure::a_tripped_breaker_of_a_search_asks_for_a_pause,
        pressure::a_tripped_breaker_of_the_node_refuses_the_whole_request,
        pressure::too_few_buckets_are_said_with_the_remedy,
        pressure::a_silent_node_is_a_timeout_and_answers_again_afterwards,
    }
}
