"""Where the library's browser tests take place."""

from tests.spa.setting import setting, whole_setting

__all__ = ["setting", "whole_setting"]
