Feature: situations

  Scenario: hostile <b>&"]]> 😀 #1
    Then it fails with hostile text

  Scenario: pass
    Then it passes

  Scenario: fail
    Then it fails

  Scenario: error
    Then it raises an error

  Scenario: undefined
    Then nobody wrote this step

  Scenario: skip
    Then it is skipped

  @flaky
  Scenario: retry
    Then it fails the first time

  Scenario Outline: twins
    Then <number> is 2

    Examples: numbers
      | number |
      | 1      |
      | 2      |

  @broken_setup
  Scenario: setup
    Then it passes

  @broken_teardown
  Scenario: teardown
    Then it passes

  Scenario: timeout
    Then it never ends
